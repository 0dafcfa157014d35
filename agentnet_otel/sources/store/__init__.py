"""What `serve` keeps on disk: requests as they came, and the turns that they hold."""
