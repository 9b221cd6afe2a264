"""At home in other frameworks, each in a module of its own that imports it.

The rule of this file: it imports nothing, so that no framework is loaded before it is asked for.
"""

__all__: list[str] = []
