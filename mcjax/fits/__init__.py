"""M-estimation, one data set at a time."""
