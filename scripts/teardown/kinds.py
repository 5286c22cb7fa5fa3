"""The kinds of resources that the pipelines create, in the order in which they are removed.

A kind has the names that the pipelines give, with the values of `Project.fill`, and calls, which
are written as `Project.call` says, or name a function of `special`.

find     lists by the name: `Tags`, or `arn` with `tags`, and `id`; `{key}` is a filter of EC2
tags     lists the tags by the `arn`
search   the same as `find` for any other name; resources of others are not reported
stays    whether the resource with the name stays, and says why
parts    a key and the kind of parts that it finds: the resource stays while others own one
release  what must go before: LISTING -> PARTS -> CALL, where the call takes the id and a part
delete   deletes the resource with the id
gone     finds nothing, or is refused, when the resource with the id is gone
unlock   what to do when it is protected; the command is at the end
members  lists, by the name, the ids of resources that stay while this one stays
"""

from collections import defaultdict

_TABLE = """
stack: {stack}-operations {stack}-target {stack}-waf {stack}-codepipeline {stack}-push
           {stack}-fleet {stack}-api {stack}-notify {stack}-lambda {stack}-ledger {stack}-alb
           {stack}-ecs {stack}-vpc
  find     special.find_stack
  delete   special.delete_stack
  members  cloudformation list_stack_resources StackName
           -> StackResourceSummaries[].PhysicalResourceId
rule: {function}-push {function}-completer-deployments {function}-completer-poll {function}-notify
  find     events describe_rule Name -> [{arn: Arn}]
  tags     events list_tags_for_resource ResourceARN
  release  events list_targets_by_rule Rule -> Targets[].Id -> events remove_targets Rule Ids[]
  delete   events delete_rule Name
API destination: {function}-notify
  find     events describe_api_destination Name={name}-slack -> [{id: Name, arn: '{name}-{region}'}]
  find     events describe_api_destination Name={name}-teams -> [{id: Name, arn: '{name}-{region}'}]
  tags     iam get_role RoleName -> Role
  delete   events delete_api_destination Name
connection: {function}-notify
  find     events describe_connection Name -> [{arn: '{name}-{region}'}]
  tags     iam get_role RoleName -> Role
  delete   events delete_connection Name
mapping: {function}-push {function}-fleet
  find     lambda list_event_source_mappings FunctionName
           -> EventSourceMappings[].{id: UUID, arn: EventSourceMappingArn}
  tags     lambda list_tags Resource
  delete   lambda delete_event_source_mapping UUID
  gone     lambda get_event_source_mapping UUID
API key: {function}-api
  find     apigateway get_api_keys -> items[?name=='{name}']
  delete   apigateway delete_api_key apiKey
usage plan: {function}-api
  find     apigateway get_usage_plans -> items[?name=='{name}']
  release  apigateway get_usage_plan usagePlanId
           -> apiStages[].{op: 'remove', path: '/apiStages', value: join(':', [apiId, stage])}
           -> apigateway update_usage_plan usagePlanId patchOperations[]
  delete   apigateway delete_usage_plan usagePlanId
REST API: {function}-api
  find     apigateway get_rest_apis -> items[?name=='{name}']
  delete   apigateway delete_rest_api restApiId
function: {function}-codepipeline {function}-push {function}-fleet {function}-api-update
           {function}-api-status {function}-api-jwt {function}-completer {function}
  find     lambda get_function FunctionName -> [@]
  delete   lambda delete_function FunctionName
dashboard: {function}
  find     cloudwatch get_dashboard DashboardName -> [{id: DashboardName,
           arn: 'arn:{partition}:cloudwatch:{region}:{account}:alarm:{name}-failed-updates'}]
  tags     cloudwatch list_tags_for_resource ResourceARN
  delete   cloudwatch delete_dashboards DashboardNames[]
alarm: {function}-failed-updates {function}-
  find     cloudwatch describe_alarms AlarmNames[] -> MetricAlarms[].{arn: AlarmArn}
  tags     cloudwatch list_tags_for_resource ResourceARN
  search   cloudwatch describe_alarms AlarmNamePrefix
           -> MetricAlarms[].{id: AlarmName, arn: AlarmArn}
  delete   cloudwatch delete_alarms AlarmNames[]
queue: {function}-push {function}-push-dead-letters {function}-fleet.fifo
           {function}-fleet-dead-letters.fifo {function}-dead-letters {function}-notify-dead-letters
  find     sqs get_queue_url QueueName -> [{id: QueueUrl, arn: QueueUrl}]
  tags     sqs list_queue_tags QueueUrl
  delete   sqs delete_queue QueueUrl
policy: {function}-fleet-sender-{region}
  find     iam get_policy PolicyArn=arn:{partition}:iam::{account}:policy/{name}
           -> [Policy.{id: Arn, Tags: Tags}]
  release  iam list_entities_for_policy PolicyArn -> PolicyUsers[].UserName
           -> iam detach_user_policy PolicyArn UserName
  release  iam list_entities_for_policy PolicyArn -> PolicyGroups[].GroupName
           -> iam detach_group_policy PolicyArn GroupName
  release  iam list_entities_for_policy PolicyArn -> PolicyRoles[].RoleName
           -> iam detach_role_policy PolicyArn RoleName
  release  iam list_policy_versions PolicyArn -> Versions[?!IsDefaultVersion].VersionId
           -> iam delete_policy_version PolicyArn VersionId
  delete   iam delete_policy PolicyArn
Auto Scaling group: {stack}-ecs-instances
  find     autoscaling describe_auto_scaling_groups AutoScalingGroupNames[] -> AutoScalingGroups
  delete   autoscaling delete_auto_scaling_group AutoScalingGroupName ForceDelete=true
  gone     autoscaling describe_auto_scaling_groups AutoScalingGroupNames[] -> AutoScalingGroups
  gone     ec2 describe_instances filter:tag:aws:autoscaling:groupName
           -> Reservations[].Instances[?State.Name!='terminated'][]
launch template: {stack}-ecs-instances
  find     ec2 describe_launch_templates LaunchTemplateNames[] -> LaunchTemplates
  delete   ec2 delete_launch_template LaunchTemplateName
instance profile: {stack}-ecs-{region}-instance
  find     iam get_instance_profile InstanceProfileName -> [InstanceProfile]
  release  iam get_instance_profile InstanceProfileName -> InstanceProfile.Roles[].RoleName
           -> iam remove_role_from_instance_profile InstanceProfileName RoleName
  delete   iam delete_instance_profile InstanceProfileName
load balancer: {stack}-alb
  find     elbv2 describe_load_balancers Names[]
           -> LoadBalancers[].{id: LoadBalancerArn, arn: LoadBalancerArn}
  tags     elbv2 describe_tags ResourceArns[] -> TagDescriptions[0]
  delete   elbv2 delete_load_balancer LoadBalancerArn
target group: {stack}-alb-b {stack}-alb-g
  find     elbv2 describe_target_groups Names[]
           -> TargetGroups[].{id: TargetGroupArn, arn: TargetGroupArn}
  tags     elbv2 describe_tags ResourceArns[] -> TagDescriptions[0]
  delete   elbv2 delete_target_group TargetGroupArn
cluster: {cluster}
  find     ecs describe_clusters clusters[] include[]=TAGS -> clusters[?status!='INACTIVE']
  delete   special.delete_cluster
role: {function}-push-{region} {function}-api-status-{region} {function}-completer-{region}
           {function}-{region} {stack}-ecs-{region}-instance {stack}-ecs-{region}-execution
           {function}-target-update-{region} {function}-target-read-{region} {stack}-alb-{region}
           {function}-api-logs-{region} {function}-api-jwt-{region} {function}-notify-{region}
  find     iam get_role RoleName -> [Role]
  stays    special.writes_logs_of_others
  release  iam list_instance_profiles_for_role RoleName -> InstanceProfiles[].InstanceProfileName
           -> iam remove_role_from_instance_profile RoleName InstanceProfileName
  release  iam list_attached_role_policies RoleName -> AttachedPolicies[].PolicyArn
           -> iam detach_role_policy RoleName PolicyArn
  release  iam list_role_policies RoleName -> PolicyNames
           -> iam delete_role_policy RoleName PolicyName
  delete   iam delete_role RoleName
log group: /aws/lambda/{function}-push /aws/lambda/{function}-api-status /aws/lambda/{function}
           /aws/apigateway/{function}-api /aws/lambda/{function}-completer /ecs/{stack}-ecs
           /aws/lambda/{function}-api-jwt
  find     logs describe_log_groups logGroupNamePrefix
           -> logGroups[?logGroupName=='{name}'].{arn: logGroupArn}
  tags     logs list_tags_for_resource resourceArn
  delete   logs delete_log_group logGroupName
table: {function}-ledger
  find     dynamodb describe_table TableName -> [Table.{arn: TableArn}]
  tags     dynamodb list_tags_of_resource ResourceArn
  delete   dynamodb delete_table TableName
  gone     dynamodb describe_table TableName
  search   dynamodb list_tables -> TableNames[?ends_with(@, '-ledger') && @ != '{name}']
           .{id: @, arn: join('', ['arn:{partition}:dynamodb:{region}:{account}:table/', @])}
  unlock   It holds the history of updates. This command unlocks it: aws dynamodb update-table
           --table-name {id} --no-deletion-protection-enabled
subnet: {stack}
  find     ec2 describe_subnets filter:{key} -> Subnets[].{id: SubnetId, Tags: Tags}
  delete   ec2 delete_subnet SubnetId
route table: {stack}
  find     ec2 describe_route_tables filter:{key}
           -> RouteTables[?!(Associations[?Main])].{id: RouteTableId, Tags: Tags}
  release  ec2 describe_route_tables RouteTableIds[]
           -> RouteTables[].Associations[].RouteTableAssociationId
           -> ec2 disassociate_route_table - AssociationId
  delete   ec2 delete_route_table RouteTableId
security group: {stack}
  find     ec2 describe_security_groups filter:{key}
           -> SecurityGroups[?GroupName!='default'].{id: GroupId, Tags: Tags}
  delete   ec2 delete_security_group GroupId
internet gateway: {stack}
  find     ec2 describe_internet_gateways filter:{key}
           -> InternetGateways[].{id: InternetGatewayId, Tags: Tags}
  release  ec2 describe_internet_gateways InternetGatewayIds[]
           -> InternetGateways[].Attachments[].VpcId
           -> ec2 detach_internet_gateway InternetGatewayId VpcId
  delete   ec2 delete_internet_gateway InternetGatewayId
VPC: {stack}
  find     ec2 describe_vpcs -> Vpcs[?Tags[?Key=='ecs-updater' && Value=='{name}' ||
           Key=='Name' && Value=='{name}-vpc']].{id: VpcId, Tags: Tags}
  parts    vpc-id subnet
  parts    vpc-id route table
  parts    vpc-id security group
  parts    attachment.vpc-id internet gateway
  delete   ec2 delete_vpc VpcId
bucket: {stack}-artifacts-{account}-{region}
  find     special.find_bucket
  delete   special.delete_bucket
"""


def _read_table() -> dict[str, dict[str, list[str]]]:
    """Returns the names of each kind, and its calls by their words."""
    kinds, kind = dict[str, dict[str, list[str]]](), ""
    for line in _TABLE.replace("\n" + " " * 11, " ").strip().splitlines():
        if line.startswith(" "):
            word, text = line.split(maxsplit=1)
            kinds[kind][word].append(text)
        else:
            kind, _, names = line.partition(": ")
            kinds[kind] = defaultdict(list, names=names.split())
    return kinds


KINDS = _read_table()
