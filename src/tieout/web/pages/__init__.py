"""The pages, a module for each section of the menu: thin over the verbs."""
