"""Practice JD Edwards and practice Anaplan: a second, stricter reading of the vendors' manuals.

Nothing here imports the product. Every behaviour cites a number of `docs/vendor-facts.md`.
"""
