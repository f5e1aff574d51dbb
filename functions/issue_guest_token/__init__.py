"""Lambda `issue_guest_token`: tokens for visitors who are not signed in."""
