"""The public functions: each joins the layers once."""
