"""Aftersend: what became of every message, and whom not to write to again.

The way of the data, module by module, in the order in which a body passes:

    envelope     peel SNS, EventBridge, MNS and gzip        pure
    parsers      bytes in, facts out (`Feedback`)           pure
    classify     what a refusal means (`Verdict`)           pure, rules are TOML
    outcome      the fold: facts in, `Outcome` out          pure
    causes       whom not to write to again (`Claim`)       pure, the policy is TOML
    steps        the order of reads and writes              pure
    ingest       gather, decide, apply                      its ports are arguments
    store        DynamoDB; `archive` is S3, `deadletters` is SQS
    aws          the clients that these are given: ours on Lambda, boto3's elsewhere
"""
