using System.CommandLine;
using LookaheadKV.Budgeting;
using LookaheadKV.Eviction;
using LookaheadKV.Methods;
using LookaheadKV.Models;

namespace LookaheadKV.Cli.Common;

/// <summary>One policy at one budget: <c>--policy P --budget C</c>.</summary>
internal sealed class PolicyOptions
{
    private readonly Setting<PolicyText> _policy;
    private readonly Setting<Budget?> _budget = new(
        "--budget",
        "Kept a layer and kv head: tokens (64), a share of the prompt (5%), or bytes in all (2MiB).",
        Budget.Parse
    );

    public PolicyOptions(Verb verb, string? fallback, Option? unless = null)
    {
        _policy = new Setting<PolicyText>(
            "--policy",
            $"{PolicyText.Help}. {Full.Method.Name} keeps everything.",
            PolicyText.Parse,
            fallback
        );
        _policy.Required = fallback is null && unless is null;
        verb.AddRule(Contradictions);

        IEnumerable<string> Contradictions(ParseResult arguments)
        {
            if (unless is not null && arguments.GetResult(unless) is not null)
                yield break;
            var policy = arguments.GetValue<string?>(_policy);
            if (policy is null)
                yield return "Option '--policy' is required.";
            else if (PolicyText.Parse(policy).Method.Scorer is not null && arguments.GetValue<string?>(_budget) is null)
                yield return $"--policy {policy} needs a --budget, such as --budget 64.";
        }
    }

    public IEnumerable<Option> All => [_policy, _budget];

    /// <summary>The policy with its budget; modules and a draft model are loaded into the caller's dispose scope if it needs them.</summary>
    public EvictionPolicy Policy(Call call, ModelOptions model, Decoder decoder)
    {
        var parts = new PolicyParts(() => model.Module(call, decoder), () => model.Draft(call, decoder), call.Value(model.Seed));
        var policy = call.Value(_policy).Build(parts);
        return policy.Scorer is null ? policy : policy with { Budget = call.Value(_budget) };
    }
}
