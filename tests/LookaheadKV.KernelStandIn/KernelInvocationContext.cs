namespace Microsoft.DotNet.Interactive;

/// <summary>A piece of output.</summary>
/// <param name="MimeType">What it is.</param>
/// <param name="Value">Its text.</param>
public sealed record FormattedValue(string MimeType, string Value);

/// <summary>What a cell runs in; null between cells.</summary>
public sealed class KernelInvocationContext
{
    /// <summary>The running cell's.</summary>
    public static KernelInvocationContext? Current { get; set; }

    /// <summary>What was shown, in order.</summary>
    public List<FormattedValue> Shown { get; } = [];
}

/// <summary>Showing values, as the kernel's last versions declare it.</summary>
public static class KernelInvocationContextExtensions
{
    /// <summary>Shows a value through its formatters; here only so that the methods of this class are more than one.</summary>
    public static void Display(this KernelInvocationContext context, object value, params string[] mimeTypes)
    {
        foreach (var mime in mimeTypes)
            if (Formatting.Formatter.Format(value, mime) is { } text)
                context.Shown.Add(new FormattedValue(mime, text));
    }

    /// <summary>Shows text of a media type.</summary>
    public static void DisplayAs(this KernelInvocationContext context, string value, string mimeType) =>
        context.Shown.Add(new FormattedValue(mimeType, value));
}
