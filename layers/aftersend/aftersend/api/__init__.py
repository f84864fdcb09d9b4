"""The HTTP API: may I write there, what became of this message, why is this person blocked.

One module for each question. Each has a `router` of Powertools (`routing.Router`), which `front` includes; nothing
else is registered anywhere. A handler is a plain function and looks like this:

    router = Router()

    @router.get("/recipients/<recipient>")
    def health(recipient: str) -> Response[str]:
        asked = request.read(router)          # what was asked, and by whom
        desk = asked.desk                     # everything that a handler works with: `desk.Desk`
        ...
        return answers.json(Body(...))        # a msgspec Struct; `etag=` where there is a version

`<name>` in a rule takes all that is left of the path, slashes too: an API Gateway hands paths on decoded. Bodies are
decoded with `asked.body(Shape)`, where `Shape` is a msgspec Struct whose fields have bounds, and parameters with
`asked.parameters(Shape)`. What cannot be answered is `raise Problem("name", "what is wrong, and what to do")`: the
names stand in `problems`, and `front` makes problem details (RFC 9457) of them, as of our own errors.

Whoever adds a route adds it to the description too: `description/` holds what the OpenAPI document says beyond what
the Structs say, and `python -m tests.support.api_document` writes it. A test compares both.
"""
