"""Forms of masks and files that several sources share."""
