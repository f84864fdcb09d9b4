"""Work in the background: re-evaluation, replay, the suppression list of Amazon SES, and polling of Alibaba's MNS."""
