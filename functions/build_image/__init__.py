"""CloudFormation -> an image of the jobs, built by CodeBuild before the deployment goes on."""
