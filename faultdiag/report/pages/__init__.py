"""Pages: typed results in, one HTML file, Markdown or JSON out."""
