"""Reports on turns: one content, a renderer a format."""
