terraform {
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "5.100.0"
    }
  }
}

# Against Headgate: export AWS_ENDPOINT_URL=http://127.0.0.1:4566, name the webhook oncall under [alarm_webhooks] in
# headgate.toml, then terraform init, apply, plan.
provider "aws" {
  region                      = "us-east-1"
  access_key                  = "test"
  secret_key                  = "test"
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  skip_region_validation      = true
}
variable "threshold" {
  description = "Share of requests that fail, from which on somebody is told"
  default     = 0.05
}

resource "aws_sns_topic" "oncall" { name = "oncall" }
resource "aws_cloudwatch_metric_alarm" "errors" {
  alarm_name          = "orders-errors"
  alarm_description   = "too many orders fail"
  namespace           = "AWS/ApiGateway"
  metric_name         = "5XXError"
  dimensions          = { ApiName = "orders", Stage = "prod" }
  statistic           = "Average"
  period              = 60
  evaluation_periods  = 3
  datapoints_to_alarm = 2
  threshold           = var.threshold
  comparison_operator = "GreaterThanOrEqualToThreshold"
  treat_missing_data  = "notBreaching"
  alarm_actions       = [aws_sns_topic.oncall.arn, "arn:aws:headgate:::webhook/oncall"]
  tags                = { team = "orders" }
}
resource "aws_cloudwatch_metric_alarm" "slow" {
  alarm_name                            = "orders-slow"
  namespace                             = "AWS/ApiGateway"
  metric_name                           = "Latency"
  dimensions                            = { ApiName = "orders" }
  extended_statistic                    = "p99"
  evaluate_low_sample_count_percentiles = "ignore"
  period                                = 10
  evaluation_periods                    = 1
  threshold                             = 500
  comparison_operator                   = "GreaterThanThreshold"
}
resource "aws_cloudwatch_metric_alarm" "ratio" {
  alarm_name          = "orders-ratio"
  evaluation_periods  = 2
  threshold           = 5
  comparison_operator = "GreaterThanThreshold"
  metric_query {
    id          = "ratio"
    expression  = "100 * failed / placed"
    label       = "failed orders, in percent"
    return_data = true
  }
  metric_query {
    id = "failed"
    metric {
      namespace   = "Shop"
      metric_name = "Failed"
      period      = 60
      stat        = "Sum"
    }
  }
  metric_query {
    id = "placed"
    metric {
      namespace   = "Shop"
      metric_name = "Placed"
      period      = 60
      stat        = "Sum"
    }
  }
}
resource "aws_cloudwatch_composite_alarm" "orders" {
  alarm_name    = "orders"
  alarm_rule    = "ALARM(${aws_cloudwatch_metric_alarm.errors.alarm_name}) OR ALARM(${aws_cloudwatch_metric_alarm.ratio.alarm_name})"
  alarm_actions = [aws_sns_topic.oncall.arn]
  actions_suppressor {
    alarm            = aws_cloudwatch_metric_alarm.slow.alarm_name
    wait_period      = 60
    extension_period = 0
  }
  tags = { team = "orders" }
}
resource "aws_cloudwatch_log_group" "shop" {
  name              = "/shop/orders"
  retention_in_days = 7
}
resource "aws_cloudwatch_log_metric_filter" "failed" {
  name           = "failed"
  log_group_name = aws_cloudwatch_log_group.shop.name
  pattern        = "{ $.status = \"failed\" }"
  metric_transformation {
    namespace     = "Shop"
    name          = "Failed"
    value         = "1"
    default_value = 0
  }
}
resource "aws_cloudwatch_dashboard" "orders" {
  dashboard_name = "orders"
  dashboard_body = jsonencode({
    widgets = [{
      type = "metric", x = 0, y = 0, width = 12, height = 6
      properties = {
        metrics = [["AWS/ApiGateway", "5XXError", "ApiName", "orders", "Stage", "prod"]]
        region  = "us-east-1", period = 60, stat = "Average", title = "Errors"
      }
    }]
  })
}
