"""What a change left behind, looked at by use: functions called, rows inserted, rights tried, advisors asked."""
