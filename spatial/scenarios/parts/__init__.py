"""What several scenarios share: cells, tissue, experiments, reports."""
