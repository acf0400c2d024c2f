"""Tables, sentences and pictures: typed results in, text or PNG out."""
