"""Targets become orders: what is known now (`situation`), what may be meant (`meant`), and the smallest set of orders
that leads there within every limit (`plan`). Nothing here sends.
"""
