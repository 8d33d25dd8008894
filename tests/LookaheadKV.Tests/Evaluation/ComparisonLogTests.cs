using LookaheadKV.Evaluation;
using LookaheadKV.Files;
using LookaheadKV.Tests.Pretraining;
using Xunit;

namespace LookaheadKV.Tests.Evaluation;

/// <summary>Whatever byte a log ends at, all of its whole lines are found again, bit for bit, and no other.</summary>
public sealed class ComparisonLogTests : IDisposable
{
    private static readonly RunSettings Settings = RunSettings.None.With([("--seed", "1"), ("--budgets", "16, 5%")]);
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    private string Path => _folder["c.json.partial"];

    private static PromptResult[] Results(int prompt) =>
        [
            new("single", prompt, "full", "full", null, "exact", 1.0 / (3 + prompt), 1, 1L << 40, 0),
            new("naïve \"task\"\n", prompt, "snapkv[pool=max:7]", "snapkv", "5%", "f1", null, Math.PI * prompt, prompt, 1e-17),
        ];

    [Fact]
    public void A_log_cut_at_any_byte_gives_its_whole_lines()
    {
        using (var log = ComparisonLog.Open(Path, Settings))
            for (var i = 0; i < 3; i++)
                log.Add(Results(i));
        var whole = File.ReadAllBytes(Path);
        for (var length = 0; length <= whole.Length; length++)
        {
            File.WriteAllBytes(Path, whole[..length]);
            var lines = whole[..length].Count(b => b == '\n');
            using (var log = ComparisonLog.Open(Path, Settings))
            {
                Assert.Equal(Math.Max(0, lines - 1), log.Earlier.Count);
                Assert.All(log.Earlier.Index(), entry => Assert.Equal(Results(entry.Index), entry.Item));
                for (var i = log.Earlier.Count; i < 3; i++)
                    log.Add(Results(i));
            }
            Assert.Equal(whole, File.ReadAllBytes(Path));
        }
    }

    [Fact]
    public void Other_settings_other_files_and_a_second_process_are_refused()
    {
        using (var log = ComparisonLog.Open(Path, Settings))
        {
            log.Add(Results(0));
            Assert.Contains("another process", Refused(Settings));
        }
        Assert.Contains("(--seed 1 there, 2 now)", Refused(Settings.With(("--seed", "2"))));
        Assert.Contains("(--new not given there, x now)", Refused(Settings.With(("--new", "x"))));
        Assert.Contains("(--budgets 16, 5% there, not given now)", Refused(Settings.With(("--budgets", null))));
        File.WriteAllText(Path, "precious");
        Assert.Contains("holds other things", Refused(Settings));
        Assert.Equal("precious", File.ReadAllText(Path));

        string Refused(RunSettings settings) => Assert.Throws<InputException>(() => ComparisonLog.Open(Path, settings)).Message;
    }

    [Fact]
    public void A_log_without_results_leaves_no_file()
    {
        ComparisonLog.Open(Path, Settings).Dispose();
        Assert.False(File.Exists(Path));
    }
}
