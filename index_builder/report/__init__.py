"""Pictures and pages that show people what a motion database holds."""
