"""A lean HTTP/1.1 client: a request in one write, its answer as the bytes come, connections that are kept.

A general client costs several times as much CPU as all else in a relayed answer. This one follows no redirect and
knows no proxies, cookies, codings or HEAD: whoever needs those takes aiohttp. httptools parses, as in the server.
"""
