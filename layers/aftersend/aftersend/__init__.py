"""Aftersend: what became of every message, and whom not to write to again.

The way of the data, in the order in which a body passes:

    webhooks          a push is verified, queued unchanged, and only then answered
    sources           bytes in, facts out (`Feedback`), of whatever envelope carried them    pure
    classify          what a refusal means (`Verdict`)                                       pure, rules are TOML
    core.outcome      the fold: facts in, `Outcome` out                                      pure
    core.causes       whom not to write to again (`Claim`)                                   pure, the policy is TOML
    core.writes       the order of reads and writes                                          pure
    ingest            gather, decide, apply; what it works with are arguments
    storage           DynamoDB, S3 and SQS; `aws` has the clients that it is given
    api, lists, jobs  asking and deciding, whole lists, work in the background
    bootstrap         puts together what each function needs
"""
