"""The HTTP service of `cnnctl serve`: facts, batches, limits, routes and the page, in layers.

- `models`: the networks that are served, and what is said about them
- `batching`: samples of several requests are computed together; knows no HTTP
- `limits`, `access`: ASGI middleware, which decides what is let in before anything is read
- `bodies`, `multipart`: from the body of a request to samples
- `routes`, `pages`, `openapi`: the endpoints
- `server`: sockets, signals and uvicorn
"""
