"""Many suppressions at once: import and export, taking back a provider's accident, forgetting a person.

records      a file's bytes cut into records           pure
columns      what stands in a record, by name          pure
formats      which list it is, and what a row means    pure
plan         what a row would change                   pure
export       suppressions as rows                      pure
job          what is to be done, and how far it is     pure
importing, exporting, reverting, erasing               their ports are arguments
work         one job, bite by bite, within some time
jobs, reader, objects                                  DynamoDB and S3
"""
