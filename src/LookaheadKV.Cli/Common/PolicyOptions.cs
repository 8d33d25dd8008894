using System.CommandLine;
using LookaheadKV.Budgeting;
using LookaheadKV.Eviction;
using LookaheadKV.Models;

namespace LookaheadKV.Cli.Common;

/// <summary>One policy at one budget: <c>--policy P --budget C</c>.</summary>
internal sealed class PolicyOptions
{
    private readonly Option<PolicyText> _policy;
    private readonly Option<Budget?> _budget = Parsed.Option<Budget?>(
        "--budget",
        "Kept a layer and kv head: tokens (64), a share of the prompt (5%), or bytes in all (2MiB).",
        Budget.Parse
    );

    public PolicyOptions(Command command, string? fallback)
    {
        _policy = Parsed.Option(
            "--policy",
            $"{string.Join(", ", PolicyText.Methods)}; options in brackets, such as snapkv[window=16,pool=max:7]. full keeps everything.",
            PolicyText.Parse,
            fallback
        );
        _policy.Required = fallback is null;
        command.Validators.Add(result =>
        {
            if (result.Errors.Any() || result.GetResult(_policy)?.Errors.Any() == true || result.GetResult(_budget)?.Errors.Any() == true)
                return;
            if (result.GetValue(_policy) is { Method: not "full" } policy && result.GetValue(_budget) is null)
                result.AddError($"--policy {policy.Name} needs a --budget, such as --budget 64.");
        });
    }

    public IEnumerable<Option> All => [_policy, _budget];

    /// <summary>The policy with its budget; modules are loaded into the caller's dispose scope if it needs them.</summary>
    public EvictionPolicy Policy(Call call, ModelOptions model, Decoder decoder)
    {
        var policy = call.Value(_policy).Build(() => model.Module(call, decoder), call.Value(model.Seed));
        return policy.Scorer is null ? policy : policy with { Budget = call.Value(_budget) };
    }
}
