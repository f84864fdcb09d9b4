"""The HTTP API: may I write there, what became of this message, why is this person blocked.

One module for each question. Each has a `route` (`routing.Router`), which registers its handlers; `app` has all of
them. A handler looks like this:

    @route("GET", "/recipients/{recipient}", needs="ask", query=PageQuery, answer=RecipientView)
    def get_recipient(request: ApiRequest[PageQuery, None]) -> ApiResponse:
        \"\"\"Get a recipient's health, suppressions in all scopes, and outcomes, the newest first.\"\"\"
        context = request.context                 # everything that a handler works with: `context.ApiContext`
        ...
        return json_response(RecipientView(...))  # `version=` where there is one

What a route says is all that there is to say about it: requests are decoded by it, into msgspec Structs whose fields
have bounds, and the OpenAPI document is made from it (`openapi`; `python -m tests.support.api_document` writes it, and
a test compares). What cannot be answered is `raise Problem("name", "what is wrong, and what to do")`: the names are in
`problems`, and `app` makes problem details (RFC 9457) of them, and of our own errors.
"""
