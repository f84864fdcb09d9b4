"""List jobs: import, export, revert and erase, over the whole list of suppressions.

records, rows       cut a file into records, and read their columns by name     pure
formats, entries    know each provider's list, and read a row of it             pure
claims              turn a row into claims about a suppression                  pure
export_rows         render suppressions as rows of a file                       pure
summary, job        hold what came of an import; one job and its progress       pure
context             what a job works with: its ports are arguments
import_list, export_list, revert, erase    the four use cases
runner, service     run one job for some time; begin jobs and go on with them
job_table, files    jobs in DynamoDB, files in S3
"""
