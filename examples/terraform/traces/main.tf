terraform {
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "5.100.0"
    }
  }
}

# Against Headgate: export AWS_ENDPOINT_URL=http://127.0.0.1:4566, then terraform init, apply, plan.
provider "aws" {
  region                      = "us-east-1"
  access_key                  = "test"
  secret_key                  = "test"
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  skip_region_validation      = true
}

variable "share" {
  description = "Share of requests that are traced beyond the reservoir"
  default     = 0.05
}

resource "aws_xray_sampling_rule" "checkout" {
  rule_name      = "checkout"
  priority       = 10
  reservoir_size = 5
  fixed_rate     = var.share
  service_name   = "shop/*"
  service_type   = "AWS::ApiGateway::Stage"
  host           = "*"
  http_method    = "POST"
  url_path       = "/prod/checkout/*"
  resource_arn   = "*"
  version        = 1
  tags           = { team = "shop" }
}

resource "aws_xray_group" "slow" {
  group_name        = "slow"
  filter_expression = "responsetime > 5 AND service(\"shop/prod\")"
  tags              = { team = "shop" }
}

resource "aws_xray_encryption_config" "traces" {
  type = "NONE"
}
