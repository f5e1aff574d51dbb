"""EventBridge Scheduler, or somebody who wants to know now -> the results of every experiment."""
