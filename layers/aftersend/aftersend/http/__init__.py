"""HTTP/1.1 as a client of a few hosts needs it: AWS's services, a provider's certificates, a queue of another cloud.

    with Transport("https://example.com", Limits(body=65_536)) as transport:
        transport.send("GET", "/path", {"host": transport.host})

Bounded in time and size, no redirects, no proxies, and certificates are always checked. `http1` reads responses and is
pure; `transport` keeps connections.
"""
