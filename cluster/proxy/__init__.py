"""A TCP proxy that misbehaves on order, with the HTTP API of Toxiproxy.

It stands in front of a server and passes on what clients send and the server answers,
through a chain of *toxics* for each direction: delay, throttle, cut, reset (`_toxics`).  The
API, its words and what each toxic does are those of Shopify's Toxiproxy 2.5, so its
clients work with either; the same tests are run against both.

It needs nothing but Python 3.11 and its standard library, no root and nothing of the rest
of momus, so it can be carried to hosts as one archive.  One connection of a client meets
the modules in this order: `_proxies` accepts it, `_link` moves its bytes, `_stub` is one
stage of the way, `_toxics` says what happens there; `_api` is the door for orders.
"""
