"""The API of programs, `/api/v1`: described by OpenAPI, over the verbs of pages and commands."""
