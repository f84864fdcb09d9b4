"""Where everything is kept: DynamoDB tables, the S3 archive, SQS queues. Their clients are handed in."""
