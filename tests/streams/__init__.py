"""A Kinesis stream and Lambda's event source mapping over it, as AWS documents them, with faults to order."""
