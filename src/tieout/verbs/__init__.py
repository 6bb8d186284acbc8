"""What a person can ask or see: one function each, called by the command line and the page."""
