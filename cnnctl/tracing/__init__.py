"""One sample through a network as a textbook works it: forward, loss, backward, update.

Gathered from the very step that training takes, then rendered as text, Markdown or JSON.
"""
