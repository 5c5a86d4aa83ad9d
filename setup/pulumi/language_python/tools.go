//go:build tools

// Package language_python pins, through go.mod and go.sum, everything Pulumi's Python language host is built from.
package language_python

import _ "github.com/pulumi/pulumi/sdk/v3/python/cmd/pulumi-language-python"
