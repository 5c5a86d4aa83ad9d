//go:build tools

// Package cli pins, through go.mod and go.sum, everything Pulumi's command line is built from.
package cli

import (
	_ "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi"
	_ "github.com/pulumi/pulumi/sdk/v3/go/common/version"
)
