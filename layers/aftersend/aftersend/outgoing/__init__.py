"""Events that go out: to a bus of Amazon EventBridge, and to webhooks of the user's."""
