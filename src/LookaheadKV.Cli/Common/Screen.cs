using System.Diagnostics;
using Spectre.Console;

namespace LookaheadKV.Cli.Common;

/// <summary>How far work is.</summary>
/// <param name="Done">Units done.</param>
/// <param name="Total">Units in all.</param>
/// <param name="Text">What the latest unit gave, one line.</param>
internal readonly record struct Tick(double Done, double Total, string Text);

/// <summary>Where a verb writes: colours and live bars on a terminal, plain lines and Markdown tables elsewhere.</summary>
internal sealed class Screen
{
    private const int PlainWidth = 200;
    private static readonly TimeSpan BetweenLines = TimeSpan.FromSeconds(5);
    private readonly IAnsiConsole _console;
    private readonly TextWriter _output;
    private readonly bool _terminal;
    private readonly Queue<string> _notes = [];
    private bool _isBarShown;

    public Screen(TextWriter output)
    {
        _output = output;
        _terminal =
            (ReferenceEquals(output, Console.Out) && !Console.IsOutputRedirected)
            || (ReferenceEquals(output, Console.Error) && !Console.IsErrorRedirected);
        _console = AnsiConsole.Create(
            new AnsiConsoleSettings
            {
                Out = new AnsiConsoleOutput(output),
                Ansi = _terminal ? AnsiSupport.Detect : AnsiSupport.No,
                Interactive = _terminal ? InteractionSupport.Detect : InteractionSupport.No,
            }
        );
        if (!_terminal)
            _console.Profile.Width = PlainWidth;
    }

    /// <summary>Text that goes on where the last one ended.</summary>
    public void Write(string text)
    {
        _output.Write(text);
        _output.Flush();
    }

    public void Line(string text = "")
    {
        _output.WriteLine(text);
        _output.Flush();
    }

    /// <summary>A line that may come while a bar is shown: it then waits for the bar's end.</summary>
    public void Note(string text)
    {
        if (_isBarShown)
            _notes.Enqueue(text);
        else
            Line(text);
    }

    /// <summary>A table; the first column is left-aligned, the others right.</summary>
    public void Table(IReadOnlyList<string> columns, IEnumerable<IReadOnlyList<string>> rows)
    {
        var table = new Table { Border = _terminal ? TableBorder.Rounded : TableBorder.Markdown };
        foreach (var (i, column) in columns.Index())
            table.AddColumn(new TableColumn(Markup.Escape(column)) { Alignment = i == 0 ? Justify.Left : Justify.Right, NoWrap = true });
        foreach (var row in rows)
            table.AddRow([.. row.Select(Markup.Escape)]);
        _console.Write(table);
    }

    /// <summary>Runs work that reports how far it is. Off a terminal: the first report, one every few seconds, and the last.</summary>
    public T Progress<T>(string title, Func<Action<Tick>, T> work)
    {
        if (!_terminal)
            return Plainly(title, work);
        _isBarShown = true;
        var value = _console
            .Progress()
            .AutoClear(true)
            .Columns(
                new TaskDescriptionColumn { Alignment = Justify.Left },
                new ProgressBarColumn(),
                new PercentageColumn(),
                new RemainingTimeColumn()
            )
            .Start(context =>
            {
                var task = context.AddTask(Markup.Escape(title));
                return work(tick =>
                {
                    (task.MaxValue, task.Value, task.Description) = (tick.Total, tick.Done, Markup.Escape($"{title} {tick.Text}"));
                });
            });
        _isBarShown = false;
        while (_notes.TryDequeue(out var note))
            Line(note);
        return value;
    }

    private T Plainly<T>(string title, Func<Action<Tick>, T> work)
    {
        Line($"{title} …");
        var clock = Stopwatch.StartNew();
        var next = TimeSpan.Zero;
        return work(tick =>
        {
            if (clock.Elapsed < next && tick.Done < tick.Total)
                return;
            next = clock.Elapsed + BetweenLines;
            Line($"{title} {tick.Done:0}/{tick.Total:0} {tick.Text}");
        });
    }
}
