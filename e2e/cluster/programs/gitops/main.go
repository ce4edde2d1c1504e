// The two parts of Argo CD that compare and apply, in one binary; the first argument says which. Its user interface and its API are left out.
// Flux' controller is a program of its own, which go.mod names as a tool.
package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	controller "github.com/argoproj/argo-cd/v3/cmd/argocd-application-controller/commands"
	repository "github.com/argoproj/argo-cd/v3/cmd/argocd-repo-server/commands"
)

var components = map[string]func() *cobra.Command{
	"application-controller": controller.NewCommand,
	"repo-server":            repository.NewCommand,
}

func main() {
	if len(os.Args) < 2 || components[os.Args[1]] == nil {
		fmt.Fprintln(os.Stderr, "the first argument must be application-controller or repo-server")
		os.Exit(2)
	}
	name := os.Args[1]
	os.Args = os.Args[1:]
	if err := components[name]().Execute(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
