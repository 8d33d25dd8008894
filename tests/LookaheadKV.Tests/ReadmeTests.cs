using System.Runtime.CompilerServices;
using LookaheadKV.Budgeting;
using LookaheadKV.Checkpoints;
using LookaheadKV.Evaluation.Tasks;
using LookaheadKV.Generation;
using LookaheadKV.Lookahead;
using LookaheadKV.Methods;
using LookaheadKV.Models;
using LookaheadKV.Text;
using Xunit;

namespace LookaheadKV.Tests;

/// <summary>The README's C# example compiles, runs, answers right, and is the one in the README.</summary>
public class ReadmeTests
{
    [Fact]
    public void The_example_answers_right()
    {
        // <example>
        var folder = ModelFolders.Resolve("nano"); // or a Hugging Face folder of the Llama layout
        using var decoder = Decoder.Load(folder);
        var tokenizer = Tokenizer.Load(folder);
        using var modules = LookaheadFiles.Load(Path.Combine(folder, "lookahead"), decoder.Config);
        var sample = TaskGenerators.Generate("multiquery", length: 2048, seed: 1, index: 0, new PieceEncoder(tokenizer.Encode));

        var policy = LookaheadMethod.Policy(modules).With(Budget.Tokens(64));
        using var session = Session.Start(decoder, sample.PromptIds, policy);
        var answer = tokenizer.Decode(session.Generate(maxNewTokens: 64), skipSpecial: true);
        Console.WriteLine(
            $"{answer} ({session.Report.KeptTokens} of {session.Report.PromptTokens} tokens kept, right: {answer == sample.Answer})"
        );
        // </example>
        Assert.Equal(sample.Answer, answer);
        Assert.Equal(64, session.Report.KeptTokens);
    }

    [Fact]
    public void The_example_is_the_one_in_the_readme()
    {
        var (source, path) = Source();
        var lines = source.SkipWhile(line => !line.Contains("// <example>")).Skip(1).TakeWhile(line => !line.Contains("// </example>"));
        var example = string.Join("\n", lines.Select(line => line.Length > 8 ? line[8..] : ""));
        var readme = File.ReadAllText(Path.Combine(Path.GetDirectoryName(path)!, "..", "..", "README.md")).ReplaceLineEndings("\n");
        Assert.Contains($"```csharp\n{example}\n```", readme);
    }

    private static (string[] Lines, string Path) Source([CallerFilePath] string path = "") => (File.ReadAllLines(path), path);
}
