"""Durable runs: a story told step by step, carried on after a crash, never done twice.

`engine.durable` is the product's engine and the only importer of the engine library (a second to
import, so the faces import it when they execute something); `engine.inline` tells the same story in
the calling thread; `engine.watch` lets a process follow a run that another process executes.
"""
