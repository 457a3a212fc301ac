DROP TABLE approvals;
DROP TABLE invitation_links;
DROP TABLE invitation_groups;
DROP TABLE invitations;
