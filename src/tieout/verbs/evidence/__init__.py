"""The evidence pack: all that an auditor needs of one period, in one ZIP that stands alone."""
