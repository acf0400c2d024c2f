"""Tables, sentences, pictures and pages: typed results in, text, PNG or HTML out."""
