"""Evidence beside a diagnosis: envelope lines, physics, statistics, relevance, severity, trend."""
