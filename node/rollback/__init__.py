"""The launch that served before a change: kept until the new one answers, else started again."""
