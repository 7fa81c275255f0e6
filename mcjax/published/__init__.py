"""Published results of model-collapse statistics, each with the study that shows it."""
