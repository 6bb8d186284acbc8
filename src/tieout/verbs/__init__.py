"""What a person can ask or see: one function each, used by the command line and the web page alike."""
